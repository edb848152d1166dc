// A serial flash of 16 MB as a board's FPGA finds it: asleep, as an iCE40 leaves it after its configuration.
//
// SPI mode 0. It knows what is needed to read it: ab wakes it, 03 reads from a 24-bit address on, b9 sends it to sleep.
// Between ab and the next command have to be 30 us, more than most need; what comes before is not heard.

#include <cstdint>
#include <cstdio>
#include <vector>

class Flash {
public:
    // Holds the contents of `file` from `address` on, and ones elsewhere; `clk_hz` is how often `step` is called.
    Flash(const char* file, unsigned long address, double clk_hz)
        : content(1 << 24, 0xff), wake_cycles(long(30e-6 * clk_hz)) {
        if (std::FILE* source = std::fopen(file, "rb")) {
            if (std::fread(&content[address], 1, content.size() - address, source) == 0) {}
            std::fclose(source);
        }
    }

    // The levels of its pins in one clock cycle of the board, `select` being active low; gives what it drives.
    bool step(bool select, bool clk, bool copi) {
        ++since_wake;
        if (select) {
            if (bits) end();
            bits = 0;
        } else if (clk && !was_clk) {
            if (!bits) hears = is_awake && since_wake >= wake_cycles;
            shift = shift << 1 | copi;
            ++bits;
            if (bits == 8) command = uint8_t(shift);
            if (bits == 32) address = shift & 0xffffff;
        } else if (!clk && was_clk && bits >= 32 && command == 0x03 && hears) {
            const unsigned bit = (bits - 32) % 8;
            out = content[(address + (bits - 32) / 8) & 0xffffff] >> (7 - bit) & 1;
        }
        was_clk = clk;
        return out;
    }

private:
    // The select went away, which is when commands without data are obeyed.
    void end() {
        if (bits == 8 && command == 0xab) {
            is_awake = true;
            since_wake = 0;
        }
        if (bits == 8 && command == 0xb9) is_awake = false;
    }

    std::vector<uint8_t> content;
    long wake_cycles;
    bool is_awake = false, hears = false;
    long since_wake = 0;
    bool was_clk = false, out = true;
    unsigned long bits = 0;  // since it was selected
    uint32_t shift = 0, address = 0;
    uint8_t command = 0;
};
