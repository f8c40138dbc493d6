//! Units, compiler command lines and key recipes for Wharf.
