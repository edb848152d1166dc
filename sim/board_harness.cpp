// Stands in for the oscillator and the serial line of a board whose design Verilator compiled: module `board` with the
// ports clk, rx and tx.
//
//     board CLK_HZ QUIET_CYCLES REPORTS BAUD [FLASH ADDRESS]
//
// Standard input has the levels of the line into the board: a byte, 0 or 1, for the time of each bit. Between them the
// line is high. Standard output gets the bytes that the board sends, as a UART at this rate reads them, right or wrong.
// A byte 2 and four more, the lowest first, set the rate: before it, the line is high for as long as a USB bridge takes
// at least. The program ends with its standard input, and says on standard error how many cycles it simulated.
//
// When nothing has happened for QUIET_CYCLES and no levels wait, the clock stands still, and the file number REPORTS gets
// how many bytes of standard input were taken so far, as 8 bytes in this machine's order: what the board has to say to
// them is said.
//
// Compiled with BOARD_FLASH, the module has the ports flash_cs, flash_clk, flash_copi and flash_cipo, and behind them is
// a flash that holds the contents of the file FLASH from ADDRESS on. While it is selected, the clock does not stop.

#include <poll.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>

#include "Vboard.h"

#ifdef BOARD_FLASH
#include "flash.h"
#endif

namespace {

Vboard* board;
#ifdef BOARD_FLASH
Flash* flash;
#endif
double bit_cycles;                // of this end
unsigned long long cycles = 0;
long quiet = 0;                   // cycles since something happened on one of the lines
double middle = 0;                // cycles until the middle of the next bit that the board sends
int bit = -1;                     // its number: 0 to 7 are the byte's, 8 is the stop bit; -1 between bytes
unsigned char byte = 0;

// One clock cycle; false if nobody takes what the board sends.
bool step() {
    board->clk = 1;
    board->eval();
    board->clk = 0;
    board->eval();
    ++cycles;
    ++quiet;
#ifdef BOARD_FLASH
    board->flash_cipo = flash->step(board->flash_cs, board->flash_clk, board->flash_copi);
    if (!board->flash_cs) quiet = 0;
#endif
    if (bit < 0) {
        if (board->tx) return true;
        // The start bit began: the middle of the first bit is one and a half bits away.
        middle = 1.5 * bit_cycles;
        bit = byte = 0;
        return true;
    }
    middle -= 1;
    if (middle > 0) return true;
    quiet = 0;
    middle += bit_cycles;
    if (bit < 8) {
        byte |= board->tx << bit++;
        return true;
    }
    // A low stop bit: the board has another rate. What comes begins with the next fall of the line.
    if (!board->tx) {
        middle = 1;
        return true;
    }
    bit = -1;
    return write(STDOUT_FILENO, &byte, 1) == 1;
}

}  // namespace

int main(int argc, char** argv) {
#ifdef BOARD_FLASH
    if (argc != 7) return 2;
#else
    if (argc != 5) return 2;
#endif
    const double clk_hz = std::atof(argv[1]), base = std::atof(argv[4]);
    const long quiet_cycles = std::atol(argv[2]);
    const int reports = std::atoi(argv[3]);
    VerilatedContext context;
    Vboard instance{&context};
    board = &instance;
#ifdef BOARD_FLASH
    Flash content{argv[5], std::strtoul(argv[6], nullptr, 10), clk_hz};
    flash = &content;
#endif
    bit_cycles = clk_hz / base;

    unsigned char levels[4096];
    ssize_t next = 0, count = 0;      // of the levels
    unsigned long long taken = 0;
    bool reported = false;            // that the clock stands still
    int rate_bytes = 0;               // still to come of a rate
    uint32_t rate = 0;
    double left = 0;                  // of the present level, in cycles

    for (;;) {
        if (next == count) {
            // Where nothing is going to happen any more, the clock stands still until the host sends something.
            pollfd input{STDIN_FILENO, POLLIN, 0};
            int waiting = poll(&input, 1, 0);
            if (waiting == 0 && quiet >= quiet_cycles) {
                // A host that does not care may leave the pipe full: it does not miss a report.
                if (!reported && write(reports, &taken, sizeof taken) < 0) {}
                reported = true;
                waiting = poll(&input, 1, -1);
            }
            if (waiting > 0) {
                reported = false;
                next = 0;
                count = read(STDIN_FILENO, levels, sizeof levels);
                if (count <= 0) break;
            }
        }
        board->rx = 1;
        left += bit_cycles;
        if (next < count) {
            const unsigned char level = levels[next++];
            ++taken;
            quiet = 0;
            if (rate_bytes) {
                rate = rate >> 8 | uint32_t(level) << 24;
                if (--rate_bytes) {
                    left = 0;
                } else {
                    left = 20 * clk_hz / base;
                    bit_cycles = clk_hz / rate;
                    bit = -1;
                }
            } else if (level == 2) {
                rate_bytes = 4;
                left = 0;
            } else {
                board->rx = level;
            }
        }
        for (; left >= 1; left -= 1) {
            if (!step()) return 1;
        }
    }
    board->final();
    std::fprintf(stderr, "%llu\n", cycles);
    return 0;
}
