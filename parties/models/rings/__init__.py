"""Joined tables to rings: groups of claims that persons, vehicles, phones or accounts tie together.

A ring is a lead like any other: something that a person looks at. It says which things tie which
claims, how its place in the list comes about, and what would make it innocent.

    joined tables -> ties -> graph -> components, communities -> ranked -> words, a page
"""
