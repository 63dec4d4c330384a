# Only C functions, for core_ext.large_orders.
