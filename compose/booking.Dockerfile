# The booking example as a small image. Built from the root of the repository:
#
#   docker build -f compose/booking.Dockerfile -t palinode/booking:0.1.0 .

FROM rust:1.95.0-bookworm AS build
WORKDIR /src
COPY . .
# What cargo has fetched and built stays between builds, and out of the image.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --release --locked --package booking \
    && cp target/release/booking /usr/local/bin/booking

# The same Debian without compilers.
FROM debian:12.12-slim
RUN useradd --system --uid 10001 --user-group --no-create-home booking \
    && install --directory --owner booking --group booking /data
COPY --from=build /usr/local/bin/booking /usr/local/bin/booking
USER 10001:10001
WORKDIR /data
VOLUME /data
EXPOSE 8080
ENTRYPOINT ["booking", "--data=/data"]
CMD ["--help"]
