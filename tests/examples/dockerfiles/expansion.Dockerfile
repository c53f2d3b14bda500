FROM localhost/base
ARG FILE=plain DIR=/expanded
COPY ${FILE}.txt ${DIR}/
COPY $FILE.txt $DIR/${FILE:+second}
WORKDIR ${DIR}/${UNSET:-other}
USER ${UNSET:-12}:${UNSET:-34}
EXPOSE ${UNSET:-8080}
VOLUME $DIR
LABEL where=$DIR literal='$DIR' escaped=\$DIR
STOPSIGNAL ${UNSET:-9}
