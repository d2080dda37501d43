"""Tables that people made, in Excel or elsewhere: read in whatever form they come, refused by line."""
