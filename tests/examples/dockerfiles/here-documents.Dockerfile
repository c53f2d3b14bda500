FROM localhost/base
RUN <<EOF
echo "$HOME" > /home-is
echo two >> /home-is
EOF
ARG NAME=value
COPY <<one.txt <<"two.txt" /documents/
says $NAME
one.txt
says $NAME
two.txt
COPY --chmod=755 <<-EOF /script
	tabs $NAME
	EOF
