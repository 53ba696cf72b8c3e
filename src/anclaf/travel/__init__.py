"""Models leave the machine and come to it: what travels, how it is checked, and the places that it travels between."""
