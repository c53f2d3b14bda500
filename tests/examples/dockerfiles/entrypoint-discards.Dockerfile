FROM localhost/base AS below
CMD ["from", "below"]
FROM below
ENTRYPOINT ["/bin/echo"]
