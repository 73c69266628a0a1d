"""Live tokens: when and how they are refreshed, and when WeChat is not asked."""
