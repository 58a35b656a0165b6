"""Modèles génératifs : pertes, bornes et distances que partagent plusieurs chapitres."""
