FROM localhost/base
COPY . /context/
COPY ignored/kept /one
