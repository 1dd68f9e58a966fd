"""The chassis: how any service stands up. It knows no permit word."""
