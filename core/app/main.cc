#include <string>
#include <vector>

#include "core/app/cli.h"

int main(int argc, char** argv) {
    return amoskys::app::run(std::vector<std::string>(argv, argv + argc));
}
