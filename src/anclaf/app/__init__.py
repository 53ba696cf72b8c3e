"""`anclaf app`: a page in the browser on this machine, and the HTTP interface that it is made of.

The server imports neither torch nor decoders: videos are looked at and analysed in processes of their own, so that a
file that breaks a decoder breaks nothing else.
"""
