"""Events that WeChat pushes: their signatures and encryption, what they say, and what is done about them."""
