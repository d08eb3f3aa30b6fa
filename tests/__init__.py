"""The tests: units, functions, the local cloud, its contract with AWS, notebooks and the site."""
