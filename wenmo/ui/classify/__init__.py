"""The page of classifiers with labels of their own."""
