# Only C functions, for core_ext.availability.
