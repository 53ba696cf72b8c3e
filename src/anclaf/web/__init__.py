"""`anclaf web`: a page of static files that runs a model in the browser and sends nothing anywhere."""
