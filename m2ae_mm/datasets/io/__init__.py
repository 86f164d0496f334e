"""Reading point clouds from files, safely and fast."""
