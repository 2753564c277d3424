"""N independent solutions per problem, graded as they are made."""
