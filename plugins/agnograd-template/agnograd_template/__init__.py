"""A plugin for agnograd: the operation ``template.log_cosh`` and the backend ``template``."""
