"""One module for each page. `table.py` lists them."""
