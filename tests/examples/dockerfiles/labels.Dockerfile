FROM localhost/base
LABEL one=1 two="2 words" "quoted key"=3
LABEL multi="line \
end" old.label=x
LABEL one=again
LABEL old form with words
MAINTAINER Somebody <somebody@example.org>
