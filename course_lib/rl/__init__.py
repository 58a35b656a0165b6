"""Apprentissage par renforcement : environnements, méthodes tabulaires, mémoire, agents."""
