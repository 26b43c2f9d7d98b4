"""What endpoints do with the database: handlers followed into the project's functions, queries and writes as data."""
