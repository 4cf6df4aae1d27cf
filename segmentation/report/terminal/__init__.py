"""Tables on the terminal; pages are beside."""
