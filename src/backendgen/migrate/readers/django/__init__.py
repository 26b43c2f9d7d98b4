"""Django migrations, read by their syntax trees and run as Django's PostgreSQL schema editor would run them."""
