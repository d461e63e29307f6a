"""What do the faces show?"""
