"""What the API and the website share: who calls, what a value must look like, how a sandbox catches up."""
