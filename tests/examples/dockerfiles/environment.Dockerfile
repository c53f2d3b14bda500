FROM localhost/base
ENV A=1 B="two words" C=with\ space
ENV OLD the old form  with  spaces
ENV A=2 D=$A E=${A}x F=${MISSING:-default} G=${A:+set} H='$A' I="\$A" PATH=/opt/bin:$PATH
RUN env | grep -E '^([A-I]|OLD)=' | sort > /environment
