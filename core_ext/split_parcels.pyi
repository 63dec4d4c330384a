# Only C functions, for core_ext.split_lines.
