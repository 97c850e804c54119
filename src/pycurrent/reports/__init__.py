"""Reports that the tools of jobs write: of their tests, in JUnit's XML."""
