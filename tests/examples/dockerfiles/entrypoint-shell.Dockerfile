FROM localhost/base
CMD first
ENTRYPOINT exec echo $PATH
CMD second one
