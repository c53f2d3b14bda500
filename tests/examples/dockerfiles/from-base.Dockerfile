FROM localhost/base
