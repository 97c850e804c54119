"""incr"""
