# Only C functions, for core_ext.whole_lines.
