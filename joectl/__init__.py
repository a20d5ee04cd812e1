"""The command line that talks to joed over its control socket."""
