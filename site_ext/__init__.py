"""Extensions Sphinx du site, une préoccupation par fichier ; ``_config.yml`` les charge."""
