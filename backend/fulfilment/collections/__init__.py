"""Collection at the door (上门取件): carriers fetch what customers send back."""
