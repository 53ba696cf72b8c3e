# anclaf on a CPU: docs/install.md says how to build and run it.
FROM python:3.11-slim
COPY pyproject.toml README.md LICENSE MANIFEST.in constraints.txt /src/
COPY src /src/src
RUN pip install --no-cache-dir --constraint /src/constraints.txt '/src[app]' && rm -rf /src
RUN useradd --create-home anclaf
USER anclaf
WORKDIR /home/anclaf
ENTRYPOINT ["anclaf"]
CMD ["--help"]
