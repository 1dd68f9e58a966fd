"""Decides which facts are told to whom, and by which channel.

Listens to all facts of a case. Emits message.sent and message.failed, pure records.
"""
