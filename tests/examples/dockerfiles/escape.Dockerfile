# escape=`
# syntax=docker/dockerfile:1

from localhost/base
# a comment
run echo one `
    two > /lower
env A=a\b
