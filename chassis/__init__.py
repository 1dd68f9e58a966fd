"""The chassis: how any service stands up. It knows no word of what is filed here, decided and issued."""
