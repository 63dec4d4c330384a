"""C view of the lower bound of orders with more than 10 demands."""

from core_ext.large_orders cimport Large
from core_ext.parcel_cost cimport u128

cdef u128 lower_bound(Large *large) noexcept nogil
