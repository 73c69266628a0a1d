"""The gateway to WeChat's web authorization (网页授权): requests, replies, errors, and what carries them."""
