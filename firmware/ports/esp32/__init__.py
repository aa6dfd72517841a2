"""The ports of boards with an ESP32, -S3, -C3 or -C6. The only code that imports machine, esp32 and bluetooth."""
