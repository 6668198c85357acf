"""Who must know, and were they told? Episodes, deliveries, channels."""
