"""Smart onboarding: clients knock with credentials of their own, and an operator lets them in."""
