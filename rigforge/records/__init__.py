"""What every room hands to the next: locked files and archives, the forms of their values, lists of sha256."""
