"""What lies in a checkpoint's folder beside its weights: adapters, settings, and what is made of them."""
