"""OHIF, a viewer in the browser: its pages from npm, our configuration of it, and the gateway's routes below /ohif/."""
