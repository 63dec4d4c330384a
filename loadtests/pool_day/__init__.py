"""A day of a brand with 40 shops: a promotion, late purchase orders and a platform that fails."""
